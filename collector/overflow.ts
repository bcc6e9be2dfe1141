/**
 * What does not fit the columns of a record: values of another type than their column's, and whole numbers too long for a
 * double, digit by digit. Kept as one JSON object.
 */
export class Overflow {
  #misfits = "";
  #exact = "";
  /** Values that did not fit. */
  misfits = 0;

  reset(): void {
    this.#misfits = "";
    this.#exact = "";
    this.misfits = 0;
  }

  get empty(): boolean {
    return this.#misfits === "" && this.#exact === "";
  }

  addMisfit(column: string, json: string): void {
    this.#misfits += `${this.#misfits === "" ? "" : ","}${JSON.stringify(column)}:${json}`;
    this.misfits++;
  }

  addExact(column: string, digits: string): void {
    this.#exact += `${this.#exact === "" ? "" : ","}${JSON.stringify(column)}:"${digits}"`;
  }

  json(): string {
    const exact = this.#exact === "" ? "" : `${this.#misfits === "" ? "" : ","}"exact":{${this.#exact}}`;
    return `{${this.#misfits}${exact}}`;
  }
}
