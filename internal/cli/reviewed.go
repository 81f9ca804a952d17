package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Reviewed reads the changes of a reviewed plan: the first object of type plan in the file, which plan
// --output json or lab plan --out wrote. [lab.Plan.Within] compares the plan that is applied with them.
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
	for d := json.NewDecoder(f); ; {
		var object json.RawMessage
		switch err := d.Decode(&object); {
		case errors.Is(err, io.EOF):
			return fail(fmt.Errorf("%w: there is no plan in it", lab.ErrInvalid))
		case err != nil:
			return fail(fmt.Errorf("%w: %w", lab.ErrInvalid, err))
		}
		var kind struct{ Type string }
		if json.Unmarshal(object, &kind) == nil && kind.Type != "" && kind.Type != "plan" {
			continue // what the run is about, and its progress
		}
		o, err := lab.ReadOutline(object)
		if err != nil {
			return fail(err)
		}
		return o, nil
	}
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
