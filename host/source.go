package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// CheckSources returns a problem for each [File] of the state whose Source is not there, is no regular
// file, or cannot be read. Planning a machine finds the same, once for each machine. Paths are as those
// of [State.Validate]: "[3].source".
func (s State) CheckSources() (ps lab.Problems) {
	for i, r := range s {
		f, ok := r.(File)
		if !ok || f.Source == "" || f.Absent {
			continue
		}
		if err := checkSource(f.Source); err != nil {
			ps = append(ps, lab.Problem{Path: fmt.Sprintf("[%d].source", i), Text: f.Source, Message: err.Error()})
		}
	}
	return ps
}

// checkSource returns what keeps the local file from being read. It does not open anything else than a
// regular file: the open of a named pipe would wait for a writer.
func checkSource(name string) error {
	st, err := os.Stat(name)
	if err == nil && !st.Mode().IsRegular() {
		return errors.New("is not a regular file")
	}
	var file *os.File
	if err == nil {
		file, err = os.Open(name)
	}
	var at *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("no such file")
	case errors.As(err, &at): // without the name, which the problem has
		return at.Err
	case err != nil:
		return err
	}
	return file.Close()
}
