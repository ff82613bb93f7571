import type { History } from '@temporalio/common/lib/proto-utils.js';
import { createRequire } from 'node:module';

/** As much as is used here of `protobufjs/ext/protojson`. */
interface ProtoJson {
  fromJson(type: object, json: unknown, options: { ignoreUnknownFields: boolean }): History;
  toJson(type: object, message: History): object;
}

interface ProtoRoot {
  lookupType(name: string): object;
}

/**
 * The SDK has functions for this, but they compare classes of protobufjs and fail where npm has installed it more than
 * once. So it is taken from where the SDK's messages take it.
 */
function loadCodec(): { type: object; json: ProtoJson } {
  const fromHere = createRequire(import.meta.url);
  const fromCommon = createRequire(fromHere.resolve('@temporalio/common'));
  const fromProto = createRequire(fromCommon.resolve('@temporalio/proto'));
  const root = fromCommon('@temporalio/proto') as ProtoRoot;
  const type = root.lookupType('temporal.api.history.v1.History');
  return { type, json: fromProto('protobufjs/ext/protojson') as ProtoJson };
}

/**
 * Reads a history as `temporal workflow show --output json` and the Web UI export it. Fields that this release does not
 * know are left out; throws on anything that is no history.
 */
export function historyFromJson(exported: unknown): History {
  const { type, json } = loadCodec();
  return json.fromJson(type, exported, { ignoreUnknownFields: true });
}

/** The same form, as an object for `JSON.stringify`. */
export function historyToJson(history: History): object {
  const { type, json } = loadCodec();
  return json.toJson(type, history);
}
