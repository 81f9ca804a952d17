package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

func TestReviewed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "plan.json")
	if _, err := Reviewed(file); !errors.Is(err, fs.ErrNotExist) || len(lab.Hints(err)) == 0 {
		t.Errorf("no file: %v", err)
	}
	for content, want := range map[string]int{
		`{"type":"run"}` + "\n" + `{"type":"event"}` + "\n" + `{"type":"plan","version":1,"changes":[{"id":"a"}]}`: 1,
		`{"type":"run"}` + "\n" + `{"type":"plan","version":1,"changes":[{"id":"a"`:                                -1, `[]`: -1, `{}`: -1,
		"": -1, "not JSON": -1, `{"type":"report","version":1}`: -1, `{"type":"plan","version":99}`: -1,
		`{"type":"plan","version":1,"changes":[{"id":"a/b","action":"create"}]}` + "\n" + `{"type":"summary"}`: 1,
	} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		changes, err := Reviewed(file)
		if want < 0 && (!errors.Is(err, lab.ErrInvalid) || len(lab.Hints(err)) == 0) ||
			want >= 0 && (err != nil || len(changes) != want) {
			t.Errorf("%q: %d changes, %v", content, len(changes), err)
		}
	}
}
