package cli

import (
	"encoding/json"
	"fmt"
	"os"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Reviewed reads the changes of a plan that somebody looked at: the first JSON value in the file, which is what plan -output json prints first. The
// plan that is then applied is held to them by [lab.Plan.Within].
func Reviewed(file string) ([]lab.Change, error) {
	fail := func(err error) ([]lab.Change, error) {
		return nil, &lab.Error{Op: "read reviewed plan", Path: file, Hint: "write it anew: plan -output json, or lab plan -out FILE", Err: err}
	}
	f, err := os.Open(file)
	if err != nil {
		return fail(err)
	}
	defer f.Close() // it was only read
	var first json.RawMessage
	if err := json.NewDecoder(f).Decode(&first); err != nil {
		return fail(fmt.Errorf("%w: %w", lab.ErrInvalid, err))
	}
	changes, err := lab.ReadChanges(first)
	if err != nil {
		return fail(err)
	}
	return changes, nil
}
