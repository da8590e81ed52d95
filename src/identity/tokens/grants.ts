// The grants of a token, claim `docs`: a map from patterns of documents to roles. A pattern is `org/doc`, one
// document, or `org/prefix*`, all documents of the organisation whose names begin with the prefix, which may be
// empty. An organisation is never a pattern. The pattern with the most characters that match decides.
import type { Role } from '../../../protocol/messages.ts';
import { parseDocumentName } from '../../../protocol/names.ts';
import { isRole } from '../../../protocol/roles.ts';

interface PrefixGrant {
  readonly prefix: string;
  readonly role: Role;
}

export class Grants {
  readonly #documents = new Map<string, Role>();
  /** The prefixes of each organisation, with its slash, the longest first. */
  readonly #prefixes = new Map<string, PrefixGrant[]>();

  /**
   * Reads the claim. Returns a sentence if it is wrong. One wrong entry makes the whole claim wrong, because an entry
   * that is left out may be one that lowers a right.
   */
  static read(claim: unknown): Grants | string {
    const grants = new Grants();
    if (claim === undefined) return grants;
    if (typeof claim !== 'object' || claim === null || Array.isArray(claim))
      return 'the claim docs is not a map of documents to roles';
    for (const [pattern, role] of Object.entries(claim)) {
      if (!isRole(role))
        return 'the claim docs has a role that is none of viewer, commenter, editor and owner';
      if (!grants.#add(pattern, role))
        return 'the claim docs has a pattern that is neither org/doc nor org/prefix*';
    }
    for (const list of grants.#prefixes.values()) list.sort((a, b) => b.prefix.length - a.prefix.length);
    return grants;
  }

  /** The role in a document with a valid name. */
  roleIn(document: string): Role | undefined {
    const exact = this.#documents.get(document);
    if (exact !== undefined) return exact;
    const list = this.#prefixes.get(document.slice(0, document.indexOf('/') + 1));
    return list?.find(({ prefix }) => document.startsWith(prefix))?.role;
  }

  /** The patterns of one organisation, without its name: a document's name, or `prefix*`. */
  patternsIn(org: string): readonly string[] {
    const start = `${org}/`;
    const names = [...this.#documents.keys()].filter((name) => name.startsWith(start));
    const prefixes = this.#prefixes.get(start) ?? [];
    return [...names, ...prefixes.map(({ prefix }) => `${prefix}*`)].map((name) => name.slice(start.length));
  }

  /** False if the pattern is not valid. */
  #add(pattern: string, role: Role): boolean {
    if (!pattern.endsWith('*')) {
      if (parseDocumentName(pattern) === undefined) return false;
      this.#documents.set(pattern, role);
      return true;
    }
    const prefix = pattern.slice(0, -1);
    // Some document must have a name that begins so.
    if (parseDocumentName(`${prefix}x`) === undefined) return false;
    const organisation = prefix.slice(0, prefix.indexOf('/') + 1);
    const list = this.#prefixes.get(organisation) ?? [];
    list.push({ prefix, role });
    this.#prefixes.set(organisation, list);
    return true;
  }
}
