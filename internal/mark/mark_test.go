package mark_test

import (
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/internal/mark"
)

func TestParse(t *testing.T) {
	m := mark.Mark{Stack: "sandbox", Kind: "token", Name: "cms/eu"}
	for text, ours := range map[string]bool{
		m.String():                                   true,
		"a note; " + m.String() + " ; more":          true,
		"owner=sandbox/token/cms/eu;managed-by=lab":  true,
		"owner=sandbox/token/cms/eu;managed-by=lab2": false,
		"xmanaged-by=lab;owner=sandbox/token/cms/eu": false,
		"managed-by=lab":                             false,
		"managed-by=lab;owner=sandbox":               false,
		"owner=sandbox/token/cms/eu":                 false,
		"":                                           false,
	} {
		got, ok := mark.Parse(text)
		if ok != ours || ours && got != m {
			t.Errorf("%q is ours: %v, %+v", text, ok, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("managed-by=lab;owner=a/b/c")
	f.Fuzz(func(t *testing.T, text string) {
		m, ok := mark.Parse(text)
		if !ok {
			return
		}
		if again, ok := mark.Parse(m.String()); !ok || again != m {
			t.Errorf("%q is %+v, and its string is %+v, %v", text, m, again, ok)
		}
	})
}
