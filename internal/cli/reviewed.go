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
	o, err := ReadPlan(file)
	if err != nil {
		return nil, err
	}
	return o.Changes(), nil
}

// ReadPlan reads a plan file, see [Reviewed].
func ReadPlan(file string) (*lab.Outline, error) {
	fail := func(err error) (*lab.Outline, error) {
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
	o, err := lab.ReadOutline(first)
	if err != nil {
		return fail(err)
	}
	return o, nil
}

// Show prints a plan file as the plan that it was written from, in its short form if brief.
func (p *Printer) Show(file string, brief bool) error {
	o, err := ReadPlan(file)
	if err != nil {
		return err
	}
	p.Outline(o, brief)
	return nil
}
