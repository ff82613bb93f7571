import type { DocumentFile } from './documents.ts';

export interface Question {
  title: string;
  text: string;
  /** What it is asked of. */
  of: 'documents' | 'tools' | 'sandbox' | 'everything';
  /** Whether to kill the worker in mid-answer. */
  kill: boolean;
}

const ZONES = 'What time is it now in Europe/Brussels, America/New_York and Asia/Tokyo?';

const ABOUT_EXAMPLES: [string, string] = [
  'What parental leave at full pay does a parent get, and when must I tell the people team?',
  'How soon does the primary on call answer a page, and what is being primary paid?',
];

const ON_CALL_COSTS = `What does a year on call cost, at 450 euros a week for the primary and 200 for the secondary?

\`\`\`python
from datetime import date
weeks = (date(2027, 1, 1) - date(2026, 1, 1)).days / 7
print(f"{weeks * (450 + 200):,.0f} euros for {weeks:.1f} weeks")
\`\`\``;

const COMPUTED: Question = {
  title: 'Computed in the sandbox',
  text: ON_CALL_COSTS,
  of: 'sandbox',
  kill: false,
};

/** The one that was asked for, or the demo's own: about given files, or about the examples where there are none. */
export function chooseQuestions(
  own: string | null,
  { files, computes }: { files: DocumentFile[] | null; computes: boolean },
): Question[] {
  if (own !== null) return [{ title: 'Your question', text: own, of: 'everything', kill: false }];
  const [first, second] = files ? questionsAbout(files) : ABOUT_EXAMPLES;
  return [
    { title: 'From the documents', text: first, of: 'documents', kill: false },
    { title: 'Three tool calls at once', text: ZONES, of: 'tools', kill: false },
    { title: 'Worker killed in mid-answer', text: second, of: 'documents', kill: true },
    ...(computes ? [COMPUTED] : []),
  ];
}

interface Topic {
  document: string;
  /** How people call it. */
  name: string;
  length: number;
}

/** About the two longest sections, of different documents where there are several. */
function questionsAbout(files: DocumentFile[]): [string, string] {
  const topics = files.flatMap(({ name, content }) =>
    topicsOf(name, new TextDecoder().decode(content)),
  );
  topics.sort((a, b) => b.length - a.length);
  const [first] = topics;
  const second = topics.find(({ document }) => document !== first?.document) ?? topics[1] ?? first;
  return [questionAbout(first), questionAbout(second)];
}

function questionAbout(topic: Topic | undefined): string {
  return topic ? `What is said about ${topic.name}?` : 'What are the documents about?';
}

/** Its sections; one without headings goes by its first words. */
function topicsOf(document: string, text: string): Topic[] {
  const sections = text.split(/^(?=#{1,4} )/m).filter((section) => section.trim() !== '');
  const title = firstWords(sections[0] ?? '');
  return sections.map((section) => {
    const heading = firstWords(section);
    const name = heading === title ? `“${title}”` : `“${heading}” in “${title}”`;
    return { document, name, length: section.length };
  });
}

const MAX_WORDS = 10;

/** Of the heading or the first line, without Markdown's marks. */
function firstWords(section: string): string {
  const [line = ''] = section.trim().split('\n');
  const plain = line.replace(/^#+ /, '').replace(/[*`_[\]]/g, '');
  const words = plain.trim().split(/\s+/).slice(0, MAX_WORDS).join(' ');
  return words.replace(/[.:,;?!]+$/, '');
}
