/** Texts that a device has confirmed to hold. The first confirmation of a job stands. */

export type TextConfirmation =
  | { readonly outcome: 'confirmed'; readonly confirmedAt: Date; readonly duplicate: boolean }
  /** This user has no such job. */
  | { readonly outcome: 'no_such_job' }
  /** The job is not a transcription. */
  | { readonly outcome: 'takes_no_text' };

export interface ConfirmedTexts {
  confirm(
    owner: { readonly userId: string; readonly deviceId: string },
    jobId: string,
    text: string,
  ): Promise<TextConfirmation>;
}
