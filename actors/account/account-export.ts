/** All that is kept about an account, for its owner to take away. */

export interface ExportPage {
  readonly section: string;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

export interface AccountExport {
  /** Every section at least once, in order; the pages of one section follow each other. Holds nothing open between two pages. */
  pages(userId: string): AsyncIterable<ExportPage>;
}
