package posix_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/debiantest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// TestOddNames does what engines do with files, with names that break what is not quoted.
func TestOddNames(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	alphabet := []string{"a", "B", "0", " ", "  ", "'", `"`, "\n", "\t", "-", "--", "$", "`", `\`, "*", "?", "[", "]",
		"é", "日本", "\x01", "\x7f", "~", "#", ";", "&", "|", "<", ">", "(", ")", "{", "}", "!", "%s", "=", ":", ",", ".",
		"\xff"}
	var scripts []string
	for range 12 {
		var names []string
		seen := map[string]bool{}
		for len(names) < 6 {
			n := ""
			for range 1 + r.IntN(6) {
				n += alphabet[r.IntN(len(alphabet))]
			}
			if n != "." && n != ".." && !seen[n] {
				seen[n] = true
				names = append(names, n)
			}
		}
		quoted := make([]string, len(names))
		for i, n := range names {
			quoted[i] = "'" + strings.ReplaceAll(n, "'", `'\''`) + "'"
		}
		all := strings.Join(quoted, " ")
		scripts = append(scripts,
			"for n in "+all+`; do printf '%s' "$n" >"$n" || echo failed; done; chmod 640 -- *; printf '%s\0' `+all+
				` | xargs -0 stat --printf '%n\0%s\0%a\0%F\n' --; printf '%s\0' `+all+
				` | xargs -0 sha256sum -z --; sha256sum -- `+all+
				`; stat -c %N -- *; for n in *; do echo "<$n>"; done; ls; find . -print0 | sort -z; wc -c -- `+all,
			"mkdir d; touch -- "+all+"; cp -- * d/ 2>&1; cd d; for n in "+all+
				`; do mv -f -T -- "$n" "x$n" && ln -s -- "$n" "l$n" && readlink -- "l$n"; done; ls; rm -- *; ls; `+
				`rm -- `+all+"; cat -- nosuch"+quoted[0]+"; mkdir -- "+all+"; rmdir -- "+all+"; stat -- "+all,
			"x="+quoted[0]+"; y="+quoted[1]+
				`; echo "$x$y"; printf '%s|' $x $y "$x" "$y"; echo; case $x in "$y") echo same;; "$x") echo self;; `+
				`esac; set -- "$x" $y; echo $#; z=${x#?}; printf '%s' "$z"; echo "${y%"$y"}"; printf '%s\n' "$x" >f; `+
				`read -r l <f; printf '%s' "$l"; eval "w=$(printf '%s' "$x" | sed "s/'/'\\\\''/g; s/^/'/; `+
				`s/\$/'/" | head -c 1000)" 2>/dev/null; grep -F -x -e "$l" f; sort f; grep -c . f`,
		)
	}
	debiantest.Compare(t, real.Missing, scripts)
}

// TestVersionsLikeDpkg orders versions as dpkg does.
func TestVersionsLikeDpkg(t *testing.T) {
	v := []string{"1", "1.0", "1.0-1", "1.0-1+b1", "1.0~rc1", "1.0~rc1-1", "1:0.9", "1.0a", "1.0+dfsg-1",
		"1.0-1~bpo12+1", "0", "2.36-9+deb12u10", "2.36-9+deb12u9", "1.10", "1.9", "1.0-", "09", "9",
		"5:27.1.1-1~debian.12~bookworm", "5:27.1.1-1~debian.11~bullseye"}
	var s strings.Builder
	for _, a := range v {
		for _, b := range v {
			fmt.Fprintf(&s, "dpkg --compare-versions '%s' lt '%s'; printf $?; ", a, b)
		}
	}
	debiantest.Compare(t, real.Missing, []string{strings.ReplaceAll(s.String(), "'1.0-'", "'1.0-0'")})
}
