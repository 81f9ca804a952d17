// Package libc is what the programs of a fake machine share, as those of a Debian share libc, libmount and gnulib:
// options ([Getopt]), patterns and regular expressions, quoting in messages, users and groups ([UserByName]), times,
// fstab, and finding and starting other programs ([Execvp], [Run]).
package libc
