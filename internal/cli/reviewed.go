package cli

import (
	"encoding/json"
	"fmt"
	"os"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Reviewed reads the changes of a reviewed plan: the first JSON value in the file, which is what
// plan --output json prints first. [lab.Plan.Within] compares the plan that is applied with them.
func Reviewed(file string) ([]lab.Change, error) {
	fail := func(err error) ([]lab.Change, error) {
		return nil, &lab.Error{Op: "read reviewed plan", Path: file,
			Hint: "save it again: plan --output json, or lab plan --out FILE", Err: err}
	}
	f, err := os.Open(file)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
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
