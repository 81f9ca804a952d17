package main

import "context"

// read reads the config that the command line chooses, and says what the run is about.
func (r *runner) read() error {
	name, data, err := r.choose()
	if err != nil {
		return err
	}
	if r.lab, err = ReadConfig(name, data); err != nil {
		return err
	}
	if err := r.lab.limit(r.limit); err != nil {
		return err
	}
	r.about(name)
	return nil
}

// visit returns what the run works on.
func (r *runner) visit(ctx context.Context) (*site, error) {
	if r.sandbox {
		return r.lab.sandbox(ctx)
	}
	return r.lab.real()
}
