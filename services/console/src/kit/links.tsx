import { Anchor, type AnchorProps, Button, type ButtonProps, NavLink, type NavLinkProps } from "@mantine/core";
import { createLink } from "@tanstack/react-router";
import type { AnchorHTMLAttributes, Ref } from "react";

// Mantine's parts as links of the router: their types say where one may go and with which parameters.

interface Linked {
  ref?: Ref<HTMLAnchorElement>;
}

type Native<Props> = Linked & Omit<AnchorHTMLAttributes<HTMLAnchorElement>, keyof Props>;

export const TextLink = createLink((props: AnchorProps & Native<AnchorProps>) => <Anchor {...props} />);

export const ButtonLink = createLink((props: ButtonProps & Native<ButtonProps>) => <Button component="a" {...props} />);

export const NavItem = createLink((props: NavLinkProps & Native<NavLinkProps>) => <NavLink component="a" {...props} />);
