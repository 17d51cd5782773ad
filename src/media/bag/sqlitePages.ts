/**
 * Which rows of a cut-off SQLite file are whole (sqlite.org/fileformat.html, 1.5 and 1.6): where a file ends inside a page, SQLite reads zeros for the rest of
 * it, and a row that reaches into that page comes out wrong without an error.
 */
import type { FileHandle } from 'node:fs/promises';

const INTERIOR = 5;
const LEAF = 13;
const FILE_HEADER_BYTES = 100;

interface Row {
  readonly id: number;
  /** First page of what does not fit beside the others of its leaf, 0 where all does; and how many pages follow one another. */
  readonly overflowPage: number;
  readonly overflowPages: number;
}

/** Big-endian, seven bits a byte, as far as rosbag2's counters reach. */
function varint(page: Buffer, at: number): [value: number, next: number] {
  for (let value = 0, i = 0; ; i++) {
    value = value * 128 + (page[at + i] & 0x7f);
    if (page[at + i] < 0x80 || i === 7) return [value, at + i + 1];
  }
}

/** Of a table that has only grown. */
export class SqlitePages {
  readonly #handle: FileHandle;
  readonly #pageBytes: number;
  readonly #usableBytes: number;
  /** Pages that are wholly there. */
  readonly #whole: number;

  constructor(handle: FileHandle, pageBytes: number, reservedBytes: number, fileBytes: number) {
    this.#handle = handle;
    this.#pageBytes = pageBytes;
    this.#usableBytes = pageBytes - reservedBytes;
    this.#whole = Math.floor(fileBytes / pageBytes);
  }

  /** The last row that is whole, as are all before it; 0 where none is. */
  async lastWholeRow(rootPage: number): Promise<number> {
    let last = 0;
    for await (const row of this.#rows(rootPage)) {
      if (!row || !(await this.#isWhole(row))) break;
      last = row.id;
    }
    return last;
  }

  async #read(page: number, bytes = this.#pageBytes): Promise<Buffer> {
    const buffer = Buffer.alloc(bytes);
    await this.#handle.read(buffer, 0, bytes, (page - 1) * this.#pageBytes);
    return buffer;
  }

  /** In their order; undefined where a page of the tree is missing. */
  async *#rows(number: number): AsyncGenerator<Row | undefined> {
    if (number > this.#whole) {
      yield undefined;
      return;
    }
    const page = await this.#read(number);
    const header = number === 1 ? FILE_HEADER_BYTES : 0;
    const type = page[header];
    const pointers = header + (type === INTERIOR ? 12 : 8);
    const cells = Array.from({ length: page.readUInt16BE(header + 3) }, (_, i) => page.readUInt16BE(pointers + 2 * i));
    if (type === LEAF) for (const cell of cells) yield this.#row(page, cell);
    else if (type === INTERIOR) {
      for (const cell of cells) yield* this.#rows(page.readUInt32BE(cell));
      yield* this.#rows(page.readUInt32BE(header + 8));
    } else yield undefined;
  }

  #row(page: Buffer, cell: number): Row {
    const [payload, atId] = varint(page, cell);
    const [id, content] = varint(page, atId);
    const usable = this.#usableBytes;
    if (payload <= usable - 35) return { id, overflowPage: 0, overflowPages: 0 };
    const least = Math.floor(((usable - 12) * 32) / 255) - 23;
    const filling = least + ((payload - least) % (usable - 4));
    const local = filling <= usable - 35 ? filling : least;
    const overflowPages = Math.ceil((payload - local) / (usable - 4));
    return { id, overflowPage: page.readUInt32BE(content + local), overflowPages };
  }

  async #isWhole({ overflowPage, overflowPages }: Row): Promise<boolean> {
    // Pages are taken in order, some by the tree and by the index between them: only rows near the end have to be followed.
    if (overflowPage + 2 * overflowPages + 16 < this.#whole) return true;
    for (let page = overflowPage; page !== 0; page = (await this.#read(page, 4)).readUInt32BE(0))
      if (page > this.#whole) return false;
    return true;
  }
}
