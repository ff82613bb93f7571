/** What the client refuses to take in. Every limit has a name, which the error tells. */
export interface Limits {
  /** UTF-8 bytes of a turn's input, or of an assistant's definition, as canonical JSON. */
  maxInputBytes: number;
  /** Items of one turn's input. */
  maxItemsPerTurn: number;
  /** Bytes of one document. */
  maxDocumentBytes: number;
  /** UTF-8 bytes of a conversation's metadata as canonical JSON. */
  maxMetadataBytes: number;
  /** Turns that wait in one conversation, and additions of items. */
  maxQueuedTurns: number;
}

export const DEFAULT_LIMITS: Readonly<Limits> = {
  maxInputBytes: 4_194_304,
  maxItemsPerTurn: 100,
  maxDocumentBytes: 10_485_760,
  maxMetadataBytes: 16_384,
  maxQueuedTurns: 20,
};
