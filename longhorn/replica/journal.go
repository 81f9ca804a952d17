package replica

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
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
	// Output identifies the output: it differs from that of another of the same name.
	Output string `json:"output"`
	// Copied: the output is complete and on disk up to here, the end of a piece or of the image.
	// Hashed: Sum is the state of the hash after that many bytes, at most Copied.
	Copied int64  `json:"copied"`
	Hashed int64  `json:"hashed"`
	Hash   Hash   `json:"hash"`
	Sum    []byte `json:"sum,omitempty"`
}

const journalVersion = 2

// parseJournal reads a journal; it reports whether it is a sound one.
func parseJournal(data []byte) (j journal, ok bool) {
	if json.Unmarshal(data, &j) != nil || j.Version != journalVersion {
		return j, false
	}
	whole := j.Copied == j.Work.Size || j.Copied%pieceSize == 0
	return j, j.Copied >= 0 && whole && j.Hashed >= 0 && j.Hashed <= j.Copied
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

// work describes the image for the journal.
func (im *Image) work() journalWork {
	w := journalWork{Size: im.Size(), Point: im.Chain.Point}
	for _, s := range im.sources {
		w.Sources = append(w.Sources, journalSource{s.path, s.print})
	}
	h := sha256.New()
	var b [20]byte
	for _, s := range im.segments {
		binary.LittleEndian.PutUint64(b[0:], uint64(s.start))
		binary.LittleEndian.PutUint64(b[8:], uint64(s.end))
		binary.LittleEndian.PutUint32(b[16:], uint32(s.layer))
		h.Write(b[:])
	}
	w.Map = hex.EncodeToString(h.Sum(nil))
	return w
}
