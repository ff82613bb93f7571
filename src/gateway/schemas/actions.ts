import { Type } from '@sinclair/typebox';
import type { SubmitActions as Submission } from '../../client/submit-actions.ts';
import type { Json, JsonObject } from '../../contracts/json.ts';
import { AnyObject, named, nullable, Time, words } from './common.ts';

export const Action = named(
  'Action',
  Type.Object({
    callId: Type.String(),
    name: Type.String(),
    kind: words('outputs', 'approval'),
    state: words('pending', 'answered', 'approved', 'denied', 'closed'),
    arguments: AnyObject,
    editedArguments: nullable(AnyObject),
    reason: nullable(Type.String()),
    deadline: Time,
    requestedAt: Time,
    decidedAt: nullable(Time),
  }),
);

const Output = Type.Object({
  callId: Type.String(),
  output: Type.Unsafe<Json>({ description: 'Any JSON; a string goes to the model as it is.' }),
});

const Approval = Type.Object({
  callId: Type.String(),
  approve: Type.Boolean(),
  arguments: Type.Optional(
    Type.Unsafe<JsonObject>({
      ...AnyObject,
      description: 'With `approve: true`: the tool is given these instead.',
    }),
  ),
  reason: Type.Optional(Type.String({ description: 'With `approve: false`, for the model.' })),
  compensate: Type.Optional(
    Type.Boolean({
      description: 'With `approve: false`: what the turn has done is undone once it ends.',
    }),
  ),
});

/** The client says which fields go together. */
export const SubmitActions = named(
  'SubmitActions',
  Type.Unsafe<Submission>(
    Type.Object({
      outputs: Type.Optional(Type.Array(Output)),
      approvals: Type.Optional(Type.Array(Approval)),
      partial: Type.Optional(
        Type.Boolean({ description: 'Other calls of the turn may go on waiting.' }),
      ),
    }),
  ),
);
