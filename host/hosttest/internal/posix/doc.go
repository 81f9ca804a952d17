// Package posix is coreutils, findutils, grep, sed, awk, diff, tar and gzip as of Debian 12: the options that scripts
// use, with the messages and exit codes of the real ones, which differential tests compare. An option that the real
// program has and this one has not is refused.
package posix
