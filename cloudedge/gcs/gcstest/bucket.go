package gcstest

import (
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// bucket is a bucket, as JSON has it, and who may do what with it.
type bucket struct {
	fields  map[string]any
	theirs  bool // of somebody else, in another project
	policy  policy
	version int // of the policy
}

type policy struct {
	Version  int       `json:"version"`
	Kind     string    `json:"kind"`
	Resource string    `json:"resourceId"`
	Etag     string    `json:"etag"`
	Bindings []binding `json:"bindings"`
}

type binding struct {
	Role      string         `json:"role"`
	Members   []string       `json:"members"`
	Condition map[string]any `json:"condition,omitempty"`
}

func etag(n int) string { return base64.StdEncoding.EncodeToString([]byte("CAE" + strconv.Itoa(n))) }

// AddBucket creates a bucket in the project, with fields as the API has them.
func (s *Server) AddBucket(name string, fields map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addBucket(name, fields)
}

// TakeBucket creates a bucket of somebody else.
func (s *Server) TakeBucket(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buckets[name] = &bucket{theirs: true}
}

// ChangeBucket lets f change the fields of a bucket, as people do in Google's pages.
func (s *Server) ChangeBucket(name string, f func(fields map[string]any)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[name]
	f(b.fields)
	b.touch()
}

// Bucket returns a bucket as the API has it; nil if there is none.
func (s *Server) Bucket(name string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.buckets[name]; b != nil {
		return maps.Clone(b.fields)
	}
	return nil
}

// Grant grants a role to a member, with a condition unless that is empty.
func (s *Server) Grant(name, role, member, condition string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[name]
	added := binding{Role: role, Members: []string{member}}
	if condition != "" {
		added.Condition = map[string]any{"title": "a condition", "expression": condition}
	}
	b.policy.Bindings = append(b.policy.Bindings, added)
	b.version++
}

// Grants returns who may do what with a bucket: "roles/storage.objectAdmin serviceAccount:EMAIL if CONDITION".
func (s *Server) Grants(name string) (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.buckets[name].policy.Bindings {
		for _, m := range b.Members {
			text := b.Role + " " + m
			if b.Condition != nil {
				text += " if " + b.Condition["expression"].(string)
			}
			all = append(all, text)
		}
	}
	slices.Sort(all)
	return all
}

func (s *Server) addBucket(name string, fields map[string]any) *bucket {
	now := time.Now().UTC().Format(time.RFC3339)
	b := &bucket{version: 1, fields: map[string]any{"kind": "storage#bucket", "id": name, "name": name, "projectNumber": "4711",
		"location": "US", "locationType": "region", "storageClass": "STANDARD", "metageneration": "1", "timeCreated": now, "updated": now,
		"softDeletePolicy": map[string]any{"retentionDurationSeconds": "604800", "effectiveTime": now},
		"iamConfiguration": map[string]any{"publicAccessPrevention": "inherited",
			"uniformBucketLevelAccess": map[string]any{"enabled": false}}}}
	merge(b.fields, fields)
	b.policy = policy{Version: 1, Kind: "storage#policy", Resource: "projects/_/buckets/" + name, Bindings: []binding{
		{Role: "roles/storage.legacyBucketOwner", Members: []string{"projectEditor:" + ProjectID, "projectOwner:" + ProjectID}}}}
	s.buckets[name] = b
	return b
}

// merge changes fields as a JSON merge patch does (RFC 7396).
func merge(into, patch map[string]any) {
	for name, value := range patch {
		below, isObject := value.(map[string]any)
		has, exists := into[name].(map[string]any)
		switch {
		case value == nil:
			delete(into, name)
		case isObject && exists:
			merge(has, below)
		default:
			into[name] = value
		}
	}
}

func (b *bucket) touch() {
	n, _ := strconv.Atoi(b.fields["metageneration"].(string))
	b.fields["metageneration"] = strconv.Itoa(n + 1)
}

// bucket returns the bucket that the path names, or stops.
func (c *call) bucket() *bucket {
	b := c.buckets[c.req.PathValue("bucket")]
	if b == nil {
		panic(refuse(http.StatusNotFound, "The specified bucket does not exist."))
	}
	if b.theirs {
		panic(refuse(http.StatusForbidden, "%s does not have storage.buckets.get access to the Google Cloud Storage bucket. "+
			"Permission 'storage.buckets.get' denied on resource (or it may not exist).", admin))
	}
	return b
}

func (s *Server) bucketRoutes(mux *http.ServeMux) {
	const root = "/storage/v1/b"
	s.handle(mux, "GET "+root+"/{bucket}", func(c *call) answer { return ok(c.bucket().fields) })
	s.handle(mux, "POST "+root, func(c *call) answer {
		var in map[string]any
		c.read(&in)
		name, _ := in["name"].(string)
		if b := c.buckets[name]; b != nil {
			if b.theirs {
				return refuse(http.StatusConflict, "The requested bucket name is not available.")
			}
			return refuse(http.StatusConflict, "Your previous request to create the named bucket succeeded and you already own it.")
		}
		if c.req.URL.Query().Get("project") != ProjectID {
			return refuse(http.StatusBadRequest, "Unknown project id")
		}
		return ok(c.addBucket(name, in).fields)
	})
	s.handle(mux, "PATCH "+root+"/{bucket}", func(c *call) answer {
		b := c.bucket()
		match := c.req.URL.Query().Get("ifMetagenerationMatch")
		switch match {
		case b.fields["metageneration"]:
		case "":
			return c.strangeness("it has no precondition")
		default:
			return refuse(http.StatusPreconditionFailed, "At least one of the pre-conditions you specified did not hold.")
		}
		var in map[string]any
		c.read(&in)
		for _, name := range []string{"location", "name", "id"} {
			if _, given := in[name]; given {
				return refuse(http.StatusBadRequest, "%s cannot be changed", name)
			}
		}
		merge(b.fields, in)
		b.touch()
		return ok(b.fields)
	})
	s.handle(mux, "GET "+root+"/{bucket}/iam", func(c *call) answer {
		b := c.bucket()
		p := b.policy
		p.Etag = etag(b.version)
		if c.req.URL.Query().Get("optionsRequestedPolicyVersion") != "3" { // conditions are left out
			p.Bindings = slices.DeleteFunc(slices.Clone(p.Bindings), func(b binding) bool { return b.Condition != nil })
		}
		return ok(p)
	})
	s.handle(mux, "PUT "+root+"/{bucket}/iam", func(c *call) answer {
		b := c.bucket()
		var in policy
		c.read(&in)
		switch {
		case in.Etag == "":
			return c.strangeness("it has no etag")
		case in.Etag != etag(b.version):
			return refuse(http.StatusPreconditionFailed, "At least one of the pre-conditions you specified did not hold.")
		}
		for _, binding := range in.Bindings {
			if binding.Condition != nil && in.Version != 3 {
				return refuse(http.StatusBadRequest, "A policy with conditions must have the version 3.")
			}
			if len(binding.Members) == 0 {
				return c.strangeness("%s has no members", binding.Role)
			}
			for _, m := range binding.Members {
				if email, ours := strings.CutPrefix(m, "serviceAccount:"); ours && strings.Contains(email, "@"+ProjectID+".") {
					if a := c.account(email); a == nil || a.unknown() {
						return refuse(http.StatusBadRequest, "Service account %s does not exist.", email)
					}
				}
			}
		}
		b.policy.Bindings, b.policy.Version = in.Bindings, in.Version
		b.version++
		p := b.policy
		p.Etag = etag(b.version)
		return ok(p)
	})
}
