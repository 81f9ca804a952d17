package diskfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// PartName is what the output path is called until it is complete.
func PartName(path string) string { return path + ".part" }

// MakePart creates the directory that will be called path, under its [PartName], and returns that.
// It refuses ([lab.ErrRefused]) one that an earlier run left. op is the operation that errors name.
func MakePart(op, path string) (string, error) {
	part := PartName(path)
	err := os.Mkdir(part, 0o700)
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("%w: %w", lab.ErrRefused, err)
		return "", &lab.Error{Op: op, Path: part, Hint: "remove it: it is of a run that was killed", Err: err}
	}
	if err != nil {
		return "", &lab.Error{Op: op, Path: part, Err: err}
	}
	return part, nil
}
