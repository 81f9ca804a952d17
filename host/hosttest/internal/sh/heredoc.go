package sh

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// heredoc gives the text of a here-document.
func (sh *shell) heredoc(r *syntax.Redirect) string {
	quoted := false
	for _, p := range r.Word.Parts {
		switch p := p.(type) {
		case *syntax.Lit:
			quoted = quoted || strings.Contains(p.Value, `\`)
		default:
			quoted = true
		}
	}
	var b strings.Builder
	strip := r.Op == syntax.DashHdoc
	if quoted {
		for _, p := range r.Hdoc.Parts {
			b.WriteString(p.(*syntax.Lit).Value)
		}
		return stripTabs(b.String(), strip)
	}
	f := sh.newFielder(false)
	for _, p := range r.Hdoc.Parts {
		if l, ok := p.(*syntax.Lit); ok {
			f.quoted(unescapeDouble(stripTabs(l.Value, strip), false))
			continue
		}
		sh.parts(f, []syntax.WordPart{p}, double)
	}
	return string(f.text)
}

func stripTabs(s string, strip bool) string {
	if !strip {
		return s
	}
	lines := strings.SplitAfter(s, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimLeft(l, "\t")
	}
	return strings.Join(lines, "")
}

// unescapeDouble removes the backslashes that quote something within double quotes (or a here-document).
func unescapeDouble(s string, quotes bool) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			switch c := s[i+1]; {
			case c == '$' || c == '`' || c == '\\' || c == '"' && quotes:
				out = append(out, c)
				i++
				continue
			case c == '\n':
				i++
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}
