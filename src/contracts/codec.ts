/** A payload as Temporal's tools send it over HTTP: bytes in base64. */
export interface JsonPayload {
  metadata: Record<string, string>;
  data: string;
}

/** What Temporal's Web UI and CLI call a remote codec. */
export interface RemoteCodec {
  /** What is not encrypted comes back as it is; what cannot be read, as a text that says why. */
  decode(payloads: JsonPayload[]): Promise<JsonPayload[]>;
}
