# What Doxygen is given of a page: links to headings become links to the page that has them, and links to what is no
# page become plain text. What stands in ``` stays.
/^```/,/^```$/b
s/\]\(([^)#:]*\.md)(#[^)]*)?\)/]@(\1)/g
s/(^|[^!])\[([^][]*)\]\([^):]*\)/\1\2/g
s/\]@\(/](/g
