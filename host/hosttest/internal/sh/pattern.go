package sh

import "mvdan.cc/sh/v3/syntax"

// pattern expands a word into a pattern.
func (sh *shell) pattern(w *syntax.Word) string {
	if w == nil {
		return ""
	}
	f := sh.newFielder(false)
	sh.parts(f, w.Parts, bare)
	return string(f.pat)
}
