package main

import (
	"context"
	"slices"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/gcs"
	"gitea.arcodange.lab/arcodange-org/lab/examples/lab/pipeline"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/addon"
	"gitea.arcodange.lab/arcodange-org/lab/k3s/kube"
)

// GoogleConfig is what a project of Google Cloud must have. Its stack is the environment, unless it names another.
type GoogleConfig struct {
	Project string `yaml:"project,required"` // its ID: "arcodange"

	// Key is a reference to the key of a service account, as Google hands it out in JSON.
	Key lab.SecretRef `yaml:"key,required"`

	gcs.Spec `yaml:",inline"`
}

// BackupConfig lets Longhorn keep its backups in a bucket of Google's, with the HMAC key of a service account.
type BackupConfig struct {
	Bucket  string        `yaml:"bucket,required"`         // of edge.google
	Account string        `yaml:"serviceAccount,required"` // of edge.google, which has an hmacKey
	Poll    time.Duration `yaml:"poll"`                    // how often Longhorn looks at the bucket; 0 means 5m
}

func (l *Lab) googleSpec(sink lab.Sink) gcs.Spec {
	s := l.Edge.Google.Spec
	s.Sink = sink
	if s.Stack == "" {
		s.Stack = l.Environment
	}
	return s
}

func (l *Lab) googleProblems() lab.Problems {
	p := gcs.Project{ID: l.Edge.Google.Project, AccessToken: lab.NewSecret("placeholder")}
	s := l.googleSpec(nowhere{})
	ps := p.Validate()
	for i := range ps {
		if ps[i].Path == "id" {
			ps[i].Path = "project"
		}
	}
	ps = append(ps, s.Validate()...).Under("edge.google")
	if slices.ContainsFunc(s.Accounts, func(a gcs.Account) bool { return a.Key != nil }) {
		ps = append(ps, l.kept("edge.google")...)
	}
	return ps
}

// googlePlan plans what the project at Google must have.
func (l *Lab) googlePlan(s *site) pipeline.Planner {
	return func(ctx context.Context, only *pipeline.Selection) (*lab.Plan, error) {
		spec := l.googleSpec(nowhere{})
		if !only.Reaches(spec.IDs()...) {
			return nil, pipeline.LeftOut("nothing of it is selected")
		}
		project, err := s.edge.google()
		if err != nil {
			return nil, err
		}
		if spec.Sink, err = l.edgeSink(ctx, s); err != nil {
			return nil, err
		}
		p, failed := project.Plan(ctx, spec)
		return chosen(p, failed, only)
	}
}

// backup returns the bucket of Longhorn's backups, and the key of the service account that writes there; nil if there are none.
func (l *Lab) backup() (bucket *gcs.Bucket, key *gcs.Key) {
	g := l.Edge.Google
	if g == nil {
		return nil, nil
	}
	if i := slices.IndexFunc(g.Buckets, func(b gcs.Bucket) bool { return b.Name == l.Edge.Backup.Bucket }); i >= 0 {
		bucket = &g.Buckets[i]
	}
	if i := slices.IndexFunc(g.Accounts, func(a gcs.Account) bool { return a.Name == l.Edge.Backup.Account }); i >= 0 {
		key = g.Accounts[i].Key
	}
	return bucket, key
}

func (l *Lab) backupProblems() (ps lab.Problems) {
	add := func(field, text, message, hint string) {
		ps = append(ps, lab.Problem{Path: "edge.backup" + field, Text: text, Message: message, Hint: hint})
	}
	bucket, key := l.backup()
	switch {
	case bucket == nil:
		add(".bucket", l.Edge.Backup.Bucket, "is no bucket of edge.google", "write it there, with backup: true")
	case !bucket.Backup:
		add(".bucket", l.Edge.Backup.Bucket, "is not kept from rules that remove objects", "write backup: true there")
	}
	if key == nil {
		add(".serviceAccount", l.Edge.Backup.Account, "has no HMAC key in edge.google", "write hmacKey there")
	}
	if l.Cluster == nil || l.Cluster.Longhorn == nil {
		add("", "", "is for a Longhorn that is not there", "write cluster.longhorn")
	}
	return ps
}

// backupTarget returns the objects by which Longhorn knows the bucket.
func (l *Lab) backupTarget(t gcs.BackupTarget) (kube.Spec, error) {
	target := addon.BackupTarget{URL: t.URL, Endpoint: t.Secret["AWS_ENDPOINTS"].Reveal(), Poll: l.Edge.Backup.Poll,
		AccessKey: t.Secret["AWS_ACCESS_KEY_ID"], SecretKey: t.Secret["AWS_SECRET_ACCESS_KEY"]}
	objects, err := target.Objects()
	return kube.Spec{Owner: "backup", Objects: objects, TakeOver: slices.Concat(l.Cluster.TakeOver, addon.LonghornManagers)}, err
}

// dummyTarget is a target to know the objects by.
func dummyTarget() gcs.BackupTarget {
	s := lab.NewSecret("https://placeholder")
	return gcs.BackupTarget{URL: "s3://placeholder@placeholder/",
		Secret: map[string]lab.Secret{"AWS_ACCESS_KEY_ID": s, "AWS_SECRET_ACCESS_KEY": s, "AWS_ENDPOINTS": s}}
}

// backupPlan gives Longhorn the bucket and the key.
func (l *Lab) backupPlan(s *site) pipeline.Planner {
	return func(ctx context.Context, only *pipeline.Selection) (*lab.Plan, error) {
		if _, err := l.selected(s); err != nil {
			return nil, err
		}
		spec, err := l.backupTarget(dummyTarget())
		if err != nil {
			return nil, err
		}
		if !only.Reaches(spec.IDs()...) {
			return nil, pipeline.LeftOut("nothing of it is selected")
		}
		api, err := l.api(ctx, s)
		if err != nil {
			return nil, err
		}
		project, err := s.edge.google()
		if err != nil {
			return nil, err
		}
		sink, err := l.edgeSink(ctx, s)
		if err != nil {
			return nil, err
		}
		target, err := project.BackupTarget(ctx, l.googleSpec(sink), l.Edge.Backup.Bucket, l.Edge.Backup.Account)
		if err != nil {
			return nil, err
		}
		if spec, err = l.backupTarget(target); err != nil {
			return nil, err
		}
		p, failed := api.Plan(ctx, spec)
		return chosen(p, failed, only)
	}
}
