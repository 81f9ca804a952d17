package apt

import (
	"strings"
	"testing"
)

func FuzzParsers(f *testing.F) {
	for _, s := range []string{"Package: a\nStatus: install ok installed\nDescription: x\n y\n\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list := parseStatus(s)
		again := parseStatus(formatStatus(list))
		if len(again) != len(list) {
			t.Errorf("%q: %d packages became %d", s, len(list), len(again))
		}
	})
}

func FuzzAptConf(f *testing.F) {
	f.Add("A::B \"x\";\nC { \"y\"; D \"z\"; };\n// c\n# d\n/* e */")
	f.Add("Unattended-Upgrade::Package-Blacklist {\n\t\"docker-ce*\";\n};\n")
	f.Add("{")
	f.Fuzz(func(t *testing.T, text string) {
		if line, bad := (aptConf{}).parse(text); bad != "" && (line < 1 || line > 1+strings.Count(text, "\n")) {
			t.Errorf("%q: line %d: %s", text, line, bad)
		}
	})
}

func FuzzSources(f *testing.F) {
	f.Add("deb [arch=arm64 signed-by=/x] http://deb.debian.test/debian bookworm main\n")
	f.Add("Types: deb\nURIs: http://a/ http://b\nSuites: x/ y\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, parse := range []func(string, string) ([]aptSource, string){parseSources, parseSourcesList} {
			list, bad := parse(text, "f")
			if bad != "" && list != nil {
				t.Errorf("%q: both sources and a problem", text)
			}
			for _, s := range list {
				if s.uri == "" || s.suite == "" {
					t.Errorf("%q: %+v", text, s)
				}
				for _, i := range s.indexes() {
					if strings.Contains(i.file("arm64")[len(listsDir):], "/") {
						t.Errorf("%q: list file %s", text, i.file("arm64"))
					}
				}
			}
		}
	})
}
