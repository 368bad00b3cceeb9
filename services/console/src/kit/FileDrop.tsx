import { Button, Group, Stack, Text, Textarea } from "@mantine/core";
import { type DragEvent, type ReactNode, useRef, useState } from "react";

import { texts } from "../texts";
import classes from "./FileDrop.module.css";
import { hasPrivateKey, readCertificates } from "./pem";

/** More than any chain that a device may present. */
const BYTES_MAX = 256 * 1024;

const bytes = new Intl.NumberFormat(texts.locale, { style: "unit", unit: "byte", unitDisplay: "long" });

interface FileDropProps {
  /** What is wanted, such as "CA certificate (PEM)". */
  label: string;
  /** The text as it is; pasted, typed, or read of a file. */
  value: string;
  onChange: (text: string) => void;
  description?: ReactNode;
  /** The endings and types that the browser offers first. */
  accept?: string;
  bytesMax?: number;
  /** What the API has said of it. */
  error?: ReactNode;
}

/** Takes a certificate: dropped, browsed for, or pasted. DER becomes PEM, and a private key is not taken. */
export function FileDrop({
  label,
  value,
  onChange,
  description = texts.kit.file.hint,
  accept = ".pem,.crt,.cer,.der,.txt",
  bytesMax = BYTES_MAX,
  error,
}: FileDropProps) {
  const input = useRef<HTMLInputElement>(null);
  const [isOver, setOver] = useState(false);
  const [said, setSaid] = useState<string>();
  const [refused, setRefused] = useState<string>();

  const take = (text: string, about?: string) => {
    setRefused(undefined);
    setSaid(about);
    onChange(text);
  };
  const refuse = (why: string) => {
    setSaid(undefined);
    setRefused(why);
  };
  const read = async (file: File) => {
    if (file.size > bytesMax) {
      refuse(texts.kit.file.large(file.name, bytes.format(file.size), bytes.format(bytesMax)));
      return;
    }
    try {
      const found = readCertificates(new Uint8Array(await file.arrayBuffer()));
      if (found.kind === "key" || found.kind === "binary") {
        refuse(found.kind === "key" ? texts.kit.file.key : texts.kit.file.binary(file.name));
      } else {
        const about = found.kind === "der" ? texts.kit.file.der : texts.kit.file.read;
        take(found.text, about(file.name, bytes.format(file.size)));
      }
    } catch {
      refuse(texts.kit.file.unreadable(file.name));
    }
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    const [file] = event.dataTransfer.files;
    if (file !== undefined) {
      void read(file);
    }
  };
  const type = (text: string) => (hasPrivateKey(text) ? refuse(texts.kit.file.key) : take(text));

  return (
    <div
      className={classes["drop"]}
      data-over={isOver}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <Stack gap={6}>
        <Textarea
          label={label}
          description={isOver ? texts.kit.file.drop : description}
          value={value}
          onChange={(event) => type(event.currentTarget.value)}
          error={refused ?? error}
          maxLength={bytesMax}
          autosize
          minRows={4}
          maxRows={12}
          spellCheck={false}
          autoComplete="off"
          classNames={{ input: "mono" }}
        />
        <Group gap="xs">
          <Button variant="default" size="compact-sm" onClick={() => input.current?.click()}>
            {texts.kit.file.browse}
          </Button>
          {value !== "" && (
            <Button variant="subtle" size="compact-sm" onClick={() => take("")}>
              {texts.kit.file.clear}
            </Button>
          )}
          <Text size="sm" c="var(--rc-muted)" role="status" className="untrusted">
            {said}
          </Text>
        </Group>
      </Stack>
      <input
        ref={input}
        type="file"
        hidden
        accept={accept}
        aria-label={label}
        onChange={(event) => {
          const [file] = event.currentTarget.files ?? [];
          // The same file again, mended, is a change too.
          event.currentTarget.value = "";
          if (file !== undefined) {
            void read(file);
          }
        }}
      />
    </div>
  );
}
