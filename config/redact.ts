// Passwords stay out of everything that is shown: logs, error messages, `troupe config print`.

/** Every `scheme://user:password@` in the text with the password as `***`, also as `password=` in a query. */
export function redact(text: string): string {
  return (
    text
      .replace(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:@/?#]*):[^\s/?#]*@/gi, '$1:***@')
      // With / ? or # in the password, as nobody should write it: up to the last @ of the word.
      .replace(/(\b(?:postgres(?:ql)?|rediss?):\/\/[^\s:@/]*):(?!\*\*\*@)\S*@/gi, '$1:***@')
      .replace(/([?&](?:password|passwd|pwd)=)[^&\s"]*/gi, '$1***')
  );
}
