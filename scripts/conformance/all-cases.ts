/** The cases, in the order of the table. */
import { ANSWER_HEADER_CASES } from './answer-headers.ts';
import { ANSWER_CASES } from './answers.ts';
import { BROKEN_ANSWER_CASES } from './broken-answers.ts';
import { DEPARTURE_CASES } from './departures.ts';
import { FLOW_CASES } from './flow.ts';
import { FRAMING_CASES } from './framing.ts';
import { OUTAGE_CASES } from './outages.ts';
import { REQUEST_HEADER_CASES } from './request-headers.ts';
import type { ConformanceCase } from './stage.ts';
import { UPLOAD_CASES } from './uploads.ts';

export const CASES: readonly ConformanceCase[] = [
  ...FLOW_CASES,
  ...DEPARTURE_CASES,
  ...BROKEN_ANSWER_CASES,
  ...UPLOAD_CASES,
  ...REQUEST_HEADER_CASES,
  ...ANSWER_HEADER_CASES,
  ...ANSWER_CASES,
  ...FRAMING_CASES,
  ...OUTAGE_CASES,
];
