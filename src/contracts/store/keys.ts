/** What a data key belongs to: the history of a conversation's turns, or that of a document's ingestion. */
export type KeyOwner =
  | { kind: 'turn'; id: string }
  | { kind: 'conversation'; id: string }
  | { kind: 'document'; id: string };

/** A data key as it is kept: nobody reads it without the master key that wrapped it. */
export interface WrappedKey {
  id: string;
  wrapped: Uint8Array;
  /** Id of the master key. */
  wrappedBy: string;
}

/**
 * Keys that encrypt what is in Temporal's histories, over all tenants: they serve the process itself, which is told ids of
 * workflows and of keys alone.
 */
export interface KeyStore {
  /** The owner's key, `fresh` if it had none. Null where there is no such owner, or it is being deleted. */
  ensure(owner: KeyOwner, fresh: WrappedKey): Promise<WrappedKey | null>;
  /** Null once it is deleted. */
  find(id: string): Promise<WrappedKey | null>;
  /** One key of each master key that has wrapped any. */
  wrappers(): Promise<WrappedKey[]>;
  /** Keys that another master key has wrapped. */
  wrappedByOthers(masterKey: string, limit: number): Promise<WrappedKey[]>;
  /** Puts the key in the place of the one of its id, unless another has done so: as it was wrapped by `from`. */
  rewrap(key: WrappedKey, from: string): Promise<boolean>;
}
