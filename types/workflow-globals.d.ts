/** What the workflow build knows of the platform: contracts name it, workflows have no use for it. */
interface AbortSignal {
  readonly aborted: boolean;
}
