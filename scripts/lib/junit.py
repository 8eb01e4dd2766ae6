"""Writes outcomes as JUnit XML, which CI systems read."""

import xml.etree.ElementTree as xml


def _clean(text):
    """Without the characters that XML 1.0 forbids."""
    return "".join(c if c in "\t\n" or ord(c) >= 32 else "?" for c in text)


def write(path, suite, cases):
    """`cases`: (name, None or what failed)."""
    failures = sum(text is not None for _, text in cases)
    root = xml.Element("testsuite", name=suite, tests=str(len(cases)), failures=str(failures))
    for name, text in cases:
        case = xml.SubElement(root, "testcase", classname=suite, name=_clean(name))
        if text is not None:
            lines = text.splitlines() or ["failed"]
            xml.SubElement(case, "failure", message=_clean(lines[0])).text = _clean(text)
    xml.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
