// Output of commands: the streams, and tables for people.

export interface Output {
  readonly stdout: { write(text: string): unknown };
  /** For progress, not for results. */
  readonly stderr: { write(text: string): unknown };
}

/** Columns as wide as their widest cell, two spaces apart. The first row is the head. */
export function table(rows: readonly (readonly (string | number)[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, String(cell).length);
    });
  const line = (row: readonly (string | number)[]): string =>
    row
      .map((cell, i) =>
        typeof cell === 'number' ? String(cell).padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return rows.map((row) => `${line(row)}\n`).join('');
}

export const plural = (count: number, one: string): string =>
  `${count.toLocaleString('en')} ${one}${count === 1 ? '' : 's'}`;

export const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;
