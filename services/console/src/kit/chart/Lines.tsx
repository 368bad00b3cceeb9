import "uplot/dist/uPlot.min.css";

import { useEffect, useRef } from "react";
import UPlot from "uplot";

import { texts } from "../../texts";
import { colours, DASHES, type Series } from "./figures";

interface LinesProps {
  times: number[];
  series: Series[];
  height: number;
  scheme: "light" | "dark";
}

/** The drawing itself, in a file of its own, for most screens draw nothing. */
export default function Lines({ times, series, height, scheme }: LinesProps) {
  const box = useRef<HTMLDivElement>(null);
  const labels = JSON.stringify(series.map(({ label, tone }) => [label, tone]));
  const plot = useRef<UPlot>(undefined);
  const data = useRef<UPlot.AlignedData>([[]]);

  useEffect(() => {
    const element = box.current;
    if (element === null) {
      return;
    }
    const colour = colours(element);
    const axis = {
      stroke: colour("muted"),
      grid: { stroke: colour("line"), width: 1 },
      ticks: { show: false },
      font: "11px sans-serif",
    };
    const clock = new Intl.DateTimeFormat(texts.locale, { hour: "2-digit", minute: "2-digit" });
    const drawn = new UPlot(
      {
        width: element.clientWidth || 300,
        height,
        legend: { show: false },
        cursor: { show: false },
        padding: [8, 20, 0, 0],
        scales: { y: { range: (_, __, max) => [0, Math.max(max, 1)] } },
        axes: [
          { ...axis, size: 24, space: 64, values: (_, ticks) => ticks.map((tick) => clock.format(tick * 1000)) },
          // Whole numbers only, for what is counted.
          { ...axis, size: 36, space: 20, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 1e5] },
        ],
        series: [
          {},
          ...(JSON.parse(labels) as [string, string][]).map(([label, tone], at) => ({
            label,
            stroke: colour(tone),
            width: 1.5,
            dash: DASHES[at % DASHES.length] ?? [],
            points: { show: false },
          })),
        ],
      },
      data.current,
      element,
    );
    plot.current = drawn;
    const observer = new ResizeObserver(() => drawn.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      drawn.destroy();
      plot.current = undefined;
    };
  }, [labels, height, scheme]);

  useEffect(() => {
    data.current = [times, ...series.map(({ values }) => values)];
    plot.current?.setData(data.current);
  }, [times, series]);

  return <div ref={box} style={{ height }} aria-hidden />;
}
