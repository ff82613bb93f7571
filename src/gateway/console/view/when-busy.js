import { h } from '../dom.js';
import { forget, recall, remember } from '../remember.js';

const POLICIES = { reject: 'Refuse', enqueue: 'Wait', interrupt: 'Interrupt' };

/** What is to happen to a turn that is sent while another one has the conversation. */
export function createWhenBusy() {
  const chosen = recall('when-busy') ?? 'reject';
  const picker = h(
    'select',
    { id: 'when-busy', onchange: choose },
    ...Object.entries(POLICIES).map(([value, label]) =>
      h('option', { value, selected: value === chosen }, label),
    ),
  );

  function choose() {
    remember('when-busy', picker.value);
    forget('draft-key');
  }

  return { label: h('label', { for: 'when-busy' }, 'When busy'), picker };
}
