/** The value that so much of the sample (0 to 1) is at or below: the nearest rank. NaN for no sample. */
export function percentile(sample: readonly number[], fraction: number): number {
  const sorted = [...sample].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(fraction * sorted.length) - 1)] ?? NaN
}

export interface Summary {
  count: number
  p50: number
  p95: number
  p99: number
  worst: number
}

export function summarize(sample: readonly number[]): Summary {
  return {
    count: sample.length,
    p50: percentile(sample, 0.5),
    p95: percentile(sample, 0.95),
    p99: percentile(sample, 0.99),
    worst: percentile(sample, 1),
  }
}
