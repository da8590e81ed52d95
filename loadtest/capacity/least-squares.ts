// Least squares with coefficients that are not negative, for a handful of coefficients: costs and frictions have no
// negative values. Pure.

/**
 * The coefficients x ≥ 0 for which the rows times x come nearest to the values, each measured relative to its value.
 * All subsets of the coefficients are tried, so there may be at most ten. Values must be above 0.
 */
export function fitNonNegative(rows: readonly (readonly number[])[], values: readonly number[]): number[] {
  const width = rows[0]?.length ?? 0;
  if (width > MOST_COEFFICIENTS) throw new RangeError(`at most ${MOST_COEFFICIENTS} coefficients`);
  const weighted = rows.map((row, index) => row.map((cell) => cell / (values[index] ?? 1)));
  let best = new Array<number>(width).fill(0);
  let least = errorOf(weighted, best);
  for (let subset = 1; subset < 2 ** width; subset++) {
    const columns = Array.from({ length: width }, (_, column) => column).filter((at) => (subset >> at) & 1);
    const solved = solve(weighted, columns);
    if (solved === undefined || solved.some((value) => value < 0)) continue;
    const full = new Array<number>(width).fill(0);
    for (const [index, column] of columns.entries()) full[column] = solved[index] ?? 0;
    const error = errorOf(weighted, full);
    // A further coefficient has to earn its place.
    if (error < least - 1e-12) {
      best = full;
      least = error;
    }
  }
  return best;
}

const MOST_COEFFICIENTS = 10;

/** Sum of the squared relative errors; every weighted value is 1. */
function errorOf(rows: readonly (readonly number[])[], x: readonly number[]): number {
  return rows.reduce((sum, row) => sum + (dot(row, x) - 1) ** 2, 0);
}

export const dot = (one: readonly number[], other: readonly number[]): number =>
  one.reduce((sum, value, index) => sum + value * (other[index] ?? 0), 0);

/** The normal equations of the chosen columns; undefined if they determine nothing. */
function solve(rows: readonly (readonly number[])[], columns: readonly number[]): number[] | undefined {
  const chosen = rows.map((row) => columns.map((column) => row[column] ?? 0));
  // Columns differ by many orders of magnitude.
  const scales = columns.map((_, at) => Math.max(...chosen.map((row) => Math.abs(row[at] ?? 0))));
  if (scales.some((scale) => scale === 0)) return undefined;
  const scaled = chosen.map((row) => row.map((cell, at) => cell / (scales[at] ?? 1)));
  const matrix = columns.map((_, i) => [
    ...columns.map((__, j) => scaled.reduce((sum, row) => sum + (row[i] ?? 0) * (row[j] ?? 0), 0)),
    scaled.reduce((sum, row) => sum + (row[i] ?? 0), 0),
  ]);
  const solved = eliminate(matrix);
  return solved?.map((value, at) => value / (scales[at] ?? 1));
}

/** Gauss with pivots. The last column is the right side. */
function eliminate(matrix: number[][]): number[] | undefined {
  const size = matrix.length;
  for (let at = 0; at < size; at++) {
    const pivot = matrix.slice(at).reduce((best, row) => (abs(row, at) > abs(best, at) ? row : best));
    if (abs(pivot, at) < 1e-9) return undefined;
    matrix.splice(matrix.indexOf(pivot), 1);
    matrix.splice(at, 0, pivot);
    for (const row of matrix.slice(at + 1)) {
      const factor = (row[at] ?? 0) / (pivot[at] ?? 1);
      for (let column = at; column <= size; column++)
        row[column] = (row[column] ?? 0) - factor * (pivot[column] ?? 0);
    }
  }
  const x = new Array<number>(size).fill(0);
  for (let at = size - 1; at >= 0; at--) {
    const row = matrix[at] ?? [];
    const known = x.reduce((sum, value, column) => (column > at ? sum + value * (row[column] ?? 0) : sum), 0);
    x[at] = ((row[size] ?? 0) - known) / (row[at] ?? 1);
  }
  return x;
}

const abs = (row: readonly number[], at: number): number => Math.abs(row[at] ?? 0);
