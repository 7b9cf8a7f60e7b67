/** The limits of the codecs, with their units in the names. */
export const codecLimits = {
  /** Objects and arrays within one another in an HRecord; the record itself is the first level. */
  hrecordDepthMax: 100,
  /** Groups (an encoding that protobuf has given up) within one another, in fields to be skipped. */
  groupDepthMax: 100,
  /** Rows of one RowBatch. */
  resultBatchRowsMax: 1_048_576,
} as const;
