import { createAssistant, explain } from '../api.js';
import { h, setText } from '../dom.js';

/**
 * @param {HTMLElement} page
 * @param {{ first: boolean, onCreated: (id: string) => Promise<void> }} options
 */
export function showNewAssistant(page, { first, onCreated }) {
  const key = crypto.randomUUID();
  const name = h('input', { id: 'name', required: true, maxlength: '255', value: 'Helper' });
  const model = h('input', {
    id: 'model',
    required: true,
    value: 'gpt-5-mini',
    spellcheck: 'false',
  });
  const instructions = h('textarea', { id: 'instructions', rows: '4' });
  const tools = h('input', { id: 'tools', spellcheck: 'false' });
  const background = h('input', { id: 'background', type: 'checkbox' });
  const create = h('button', { class: 'primary', type: 'submit' }, 'Create the assistant');
  const problem = h('p', { class: 'problem', role: 'alert' });

  const definition = () => {
    const names = tools.value.split(/[\s,]+/).filter(Boolean);
    return {
      name: name.value,
      model: model.value,
      ...(instructions.value && { instructions: instructions.value }),
      ...(names.length > 0 && { tools: names }),
      ...(background.checked && { generation: 'background' }),
    };
  };
  const submit = async () => {
    create.disabled = true;
    setText(problem, '');
    try {
      const sent = definition();
      const { id } = await createAssistant(sent, `${key}:${await digest(sent)}`);
      await onCreated(id);
    } catch (error) {
      setText(problem, explain(error));
      create.disabled = false;
    }
  };

  const form = h(
    'form',
    {
      class: 'sheet',
      onsubmit: (/** @type {Event} */ event) => (event.preventDefault(), void submit()),
    },
    h('h1', {}, first ? 'Make a first assistant' : 'New assistant'),
    field('Name', name),
    field('Model', model, 'As the Responses API knows it.'),
    field('Instructions', instructions),
    field('Tools', tools, 'Names from the worker’s registry, such as run_code. May be empty.'),
    h(
      'div',
      { class: 'check' },
      background,
      h(
        'label',
        { for: 'background' },
        'Generate in the background, so that an answer survives its worker',
      ),
    ),
    problem,
    h('div', { class: 'sheet-row' }, create, first ? null : h('a', { href: '#/' }, 'Back')),
  );
  page.replaceChildren(form);
  name.focus({ preventScroll: true });
}

/** @param {string} label @param {HTMLElement} input @param {string} [hint] */
function field(label, input, hint) {
  const hintId = `${input.id}-hint`;
  if (hint) input.setAttribute('aria-describedby', hintId);
  return h(
    'div',
    { class: 'field' },
    h('label', { for: input.id }, label),
    input,
    hint ? h('p', { id: hintId, class: 'muted' }, hint) : null,
  );
}

/** What was changed since is another request. @param {unknown} value */
async function digest(value) {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return [...hash.slice(0, 8)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
