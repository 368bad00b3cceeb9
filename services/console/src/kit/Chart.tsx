import { useComputedColorScheme } from "@mantine/core";
import { lazy, Suspense } from "react";

import { texts } from "../texts";
import classes from "./Chart.module.css";
import { DASHES, type Series } from "./chart/figures";

export type { Series } from "./chart/figures";

const Lines = lazy(() => import("./chart/Lines"));

const clock = new Intl.DateTimeFormat(texts.locale, { hour: "2-digit", minute: "2-digit" });
const number = new Intl.NumberFormat(texts.locale);

interface ChartProps {
  /** What it is of. */
  label: string;
  /** Seconds since 1970, ascending. */
  times: number[];
  series: Series[];
  height?: number;
}

/** Lines over time, with the same figures as a table: for those who do not see the lines, and those who want to know exactly. */
export function Chart({ label, times, series, height = 120 }: ChartProps) {
  const scheme = useComputedColorScheme("light");
  // What is nowhere but zero fills the table with nothing.
  const rows = times
    .map((time, at) => ({ time, values: series.map(({ values }) => values[at] ?? 0) }))
    .filter(({ values }) => values.some((value) => value !== 0));
  return (
    <figure className={classes["chart"]} aria-label={label}>
      <figcaption className={classes["legend"]}>
        {series.map(({ label, tone }, at) => (
          <span key={label}>
            <svg width="22" height="8" aria-hidden>
              <line
                x1="0"
                x2="22"
                y1="4"
                y2="4"
                strokeWidth="2"
                style={{ stroke: `var(--rc-${tone})` }}
                strokeDasharray={DASHES[at % DASHES.length]?.join(" ")}
              />
            </svg>
            {label}
          </span>
        ))}
      </figcaption>
      <Suspense fallback={<div style={{ height }} aria-hidden aria-busy="true" />}>
        <Lines times={times} series={series} height={height} scheme={scheme} />
      </Suspense>
      <details className={classes["figures"]}>
        <summary>{texts.kit.chart.table}</summary>
        {rows.length === 0 ? (
          <p>{texts.kit.chart.nothing}</p>
        ) : (
          <div className={classes["box"]} tabIndex={0} role="region" aria-label={label}>
            <table>
              <thead>
                <tr>
                  <th scope="col">{texts.kit.chart.time}</th>
                  {series.map(({ label }) => (
                    <th key={label} scope="col">
                      {label}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {rows.map(({ time, values }) => (
                  <tr key={time}>
                    <th scope="row">{clock.format(time * 1000)}</th>
                    {values.map((value, at) => (
                      <td key={series[at]?.label}>{number.format(value)}</td>
                    ))}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </details>
    </figure>
  );
}
