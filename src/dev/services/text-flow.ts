/** Running text that comes in pieces of any size, wrapped between words. */
export interface TextFlow {
  write(piece: string): void;
  /** Ends the line. */
  end(): void;
}

export interface TextFlowOptions {
  write: (text: string) => unknown;
  /** Whether to write whole lines only. */
  whole: boolean;
  /** Columns, the indent included. */
  width: number;
  indent: string;
}

export function textFlow({ write, whole, width, indent }: TextFlowOptions): TextFlow {
  let column = 0;
  let waiting = '';
  let word = '';

  const put = (text: string) => {
    if (whole) waiting += text;
    else write(text);
  };
  const breakLine = () => {
    write(`${waiting}\n`);
    waiting = '';
    column = 0;
  };
  const putWord = () => {
    if (word === '') return;
    if (column > 0 && column + 1 + word.length > width) breakLine();
    const before = column === 0 ? indent : ' ';
    put(before + word);
    column += before.length + word.length;
    word = '';
  };

  return {
    write(piece) {
      for (const part of piece.split(/(\s)/)) {
        if (!/^\s$/.test(part)) {
          word += part;
          continue;
        }
        putWord();
        if (part === '\n') breakLine();
      }
    },
    end() {
      putWord();
      if (column > 0) breakLine();
    },
  };
}
