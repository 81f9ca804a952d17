package sh

import "strings"

// A fielder collects the fields of an expansion. Each field is kept twice: as text, and as a pattern in which what was
// quoted is escaped.
type fielder struct {
	sh     *shell
	split  bool // unquoted expansions are split into fields
	assign bool // the right side of an assignment, where a tilde may follow a colon
	ifs    string
	out    []string
	text   []byte
	pat    []byte
	glob   bool
	have   bool // the current field exists even when it is empty
}

// endOfParameter stands between the parameters of $@ until they have become fields, as in dash.
const endOfParameter = "\x00"

func (sh *shell) newFielder(split bool) *fielder {
	ifs, set := sh.get("IFS")
	if !set {
		ifs = " \t\n"
	}
	return &fielder{sh: sh, split: split, ifs: ifs}
}

// end ends the current field: with the names of files that it matches, if it is a pattern of some.
func (f *fielder) end() {
	if f.glob && f.split && !f.sh.has('f') {
		if names := f.sh.glob(string(f.pat)); len(names) > 0 {
			f.out = append(f.out, names...)
			f.text, f.pat, f.glob, f.have = f.text[:0], f.pat[:0], false, false
			return
		}
	}
	f.out = append(f.out, string(f.text))
	f.text, f.pat, f.glob, f.have = f.text[:0], f.pat[:0], false, false
}

// quoted adds text that is taken literally.
func (f *fielder) quoted(s string) {
	for {
		first, rest, more := strings.Cut(s, endOfParameter)
		f.literal(first)
		if !more {
			return
		}
		f.end()
		s = rest
	}
}

func (f *fielder) literal(s string) {
	f.have = true
	f.text = append(f.text, s...)
	for i := range len(s) {
		if strings.IndexByte(`*?[]\!-^`, s[i]) >= 0 {
			f.pat = append(f.pat, '\\')
		}
		f.pat = append(f.pat, s[i])
	}
}

// plain adds unquoted text of the script: not split, but it may be a pattern.
func (f *fielder) plain(s string) {
	if s == "" {
		return
	}
	f.have = true
	f.text = append(f.text, s...)
	f.pat = append(f.pat, s...)
	if strings.ContainsAny(s, "*?[") {
		f.glob = true
	}
}

// expanded adds the result of an unquoted expansion.
func (f *fielder) expanded(s string) {
	if !f.split {
		f.text = append(f.text, s...)
		f.pat = append(f.pat, s...)
		if s != "" {
			f.have = true
		}
		return
	}
	white := false // white space ended the last field: a separator after it ends none, unless another expansion brings it
	for i := range len(s) {
		c := s[i]
		if strings.IndexByte(f.ifs, c) < 0 && c != endOfParameter[0] {
			f.have, white = true, false
			f.text = append(f.text, c)
			f.pat = append(f.pat, c)
			if c == '*' || c == '?' || c == '[' {
				f.glob = true
			}
			continue
		}
		if c == ' ' || c == '\t' || c == '\n' || c == endOfParameter[0] {
			if f.have {
				f.end()
				white = true
			}
			continue
		}
		if white && !f.have {
			white = false
			continue
		}
		f.end()
	}
}

// result adds the result of an expansion.
func (f *fielder) result(s string, dq bool) {
	if dq {
		f.quoted(s)
	} else {
		f.expanded(s)
	}
}
