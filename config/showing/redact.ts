// Keeps passwords out of all output: logs, error messages, `troupe config print`.

/**
 * Replaces the password of every `scheme://user:password@` in the text by `***`, and that of `password=` in a
 * query.
 */
export function redact(text: string): string {
  return (
    text
      .replace(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:@/?#]*):[^\s/?#]*@/gi, '$1:***@')
      // A password may wrongly contain / ? or # unescaped. Then the text up to the last @ of the word is
      // replaced.
      .replace(/(\b(?:postgres(?:ql)?|rediss?):\/\/[^\s:@/]*):(?!\*\*\*@)\S*@/gi, '$1:***@')
      .replace(/([?&](?:password|passwd|pwd)=)[^&\s"]*/gi, '$1***')
  );
}
