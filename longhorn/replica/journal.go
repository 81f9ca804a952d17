package replica

import (
	"encoding/json"
	"path/filepath"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/longhorn/internal/diskfile"
)

// stateName is where the progress of writing the file path is kept.
func stateName(path string) string { return path + ".part.state" }

// journal is Path.part.state: what the run is about, and how far it has come.
type journal struct {
	Version int         `json:"version"`
	Work    journalWork `json:"work"`
	// Output tells the output from another of the same name.
	Output string `json:"output"`
	// Copied: the output is complete and on disk up to here. Hashed: Hash is the state of the SHA-256 after that many bytes, at most Copied.
	Copied int64  `json:"copied"`
	Hashed int64  `json:"hashed"`
	Hash   []byte `json:"hash,omitempty"`
}

const journalVersion = 1

// parseJournal reads a journal; it reports whether it is a sound one.
func parseJournal(data []byte) (j journal, ok bool) {
	ok = json.Unmarshal(data, &j) == nil && j.Version == journalVersion && j.Copied >= 0 && j.Hashed >= 0 && j.Hashed <= j.Copied
	return j, ok
}

// journalWork is what must be the same for a run to be continued.
type journalWork struct {
	Size    int64           `json:"size"`
	Point   string          `json:"point"`
	Sources []journalSource `json:"sources"`
	Map     string          `json:"map"` // digest of the location map
}

type journalSource struct {
	Path  string               `json:"path"`
	Print diskfile.Fingerprint `json:"fingerprint"`
}

// differs says in what a differs from b, "" when in nothing.
func (a journalWork) differs(b journalWork) string {
	switch {
	case a.Point != b.Point || len(a.Sources) != len(b.Sources):
		return "it was of another recovery point or replica"
	case a.Size != b.Size:
		return "the volume had another size"
	}
	var changed []string
	for i := range a.Sources {
		switch {
		case a.Sources[i].Path != b.Sources[i].Path:
			return "it was of another replica, " + filepath.Dir(b.Sources[i].Path)
		case a.Sources[i].Print != b.Sources[i].Print:
			changed = append(changed, filepath.Base(a.Sources[i].Path))
		}
	}
	if len(changed) > 0 {
		return "the replica has changed since: " + strings.Join(changed, ", ")
	}
	if a.Map != b.Map {
		return "the replica's extents have changed since"
	}
	return ""
}
