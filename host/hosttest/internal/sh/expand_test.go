package sh_test

import (
	"os"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/debiantest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// printArguments defines p, which the scripts of testdata/expansions.txt call.
const printArguments = `p() { printf '%d' "$#"; for p in "$@"; do printf ' <%s>' "$p"; done; echo; }; `

// expansions reads testdata/expansions.txt: the scripts on which dash and this package agree, and those that the parser
// refuses, which begin with an exclamation mark there.
func expansions(t *testing.T) (same, refused []string) {
	t.Helper()
	text, err := os.ReadFile("testdata/expansions.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "¶", "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if script, ok := strings.CutPrefix(line, "! "); ok {
			refused = append(refused, printArguments+script)
		} else {
			same = append(same, printArguments+line)
		}
	}
	return same, refused
}

func TestExpansionsLikeDash(t *testing.T) {
	same, _ := expansions(t)
	debiantest.Compare(t, real.Missing, same)
}

// TestExpansionsRefused holds that what the parser cannot read fails aloud: it must never pass for something else.
func TestExpansionsRefused(t *testing.T) {
	_, refused := expansions(t)
	m := hosttest.New(t, hosttest.Config{})
	for _, script := range refused {
		if r := debiantest.Run(m, script, ""); r.Code != 2 || r.Out != "" || !strings.Contains(r.Err, "Syntax error") {
			t.Errorf("%s\n%s\nwant a syntax error; if it is read now, drop the exclamation mark", script, r)
		}
	}
}

// TestPatternsLikeDash tries every pattern of up to three characters out of those that mean something in one.
func TestPatternsLikeDash(t *testing.T) {
	var script strings.Builder
	script.WriteString(`set -f; try() {
		for s in '' a b ab ba '[' ']' '-' '!' '\' 'a]' '[a' '[]' '\a' '[a]' '-b' 'b-'; do
			case $s in $1) printf ' <%s>' "$s";; esac
			case $s in "$1") printf ' quoted <%s>' "$s";; esac
		done
		x='[a-b]!\*'; printf ' {%s}{%s}{%s}{%s}' "${x#$1}" "${x##$1}" "${x%$1}" "${x%%$1}"; echo " $1"
	}
`)
	var add func(pattern string)
	add = func(pattern string) {
		// Of a bracket that stays open and ends so, dash reads beyond its end.
		unread := strings.Contains(pattern, "[") && strings.ContainsAny(pattern[len(pattern)-1:], `\-`)
		if !unread {
			script.WriteString("try '" + pattern + "'\n")
		}
		if len(pattern) < 3 {
			for _, c := range `*?[]!-\ab` {
				add(pattern + string(c))
			}
		}
	}
	for _, c := range `*?[]!-\ab` {
		add(string(c))
	}
	debiantest.Compare(t, real.Missing, []string{script.String()})
}
