package main

import (
	"fmt"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// fail returns at with its cause: text, an error of that kind.
func fail(at lab.Error, kind error, text string) error {
	at.Err = fmt.Errorf("%w: %s", kind, text)
	return &at
}
