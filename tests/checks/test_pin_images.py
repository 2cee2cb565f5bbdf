"""`make pin-images` writes what a registry said into a Dockerfile, and nothing else."""

from pathlib import Path

import pytest

from checks import pin_images
from checks.pin_images import NoDigestError, pinned
from local.tools import REPOSITORY

OLD, NEW = f"sha256:{'0' * 64}", f"sha256:{'a' * 64}"


@pytest.mark.parametrize("path", ["functions/sample_frames/Dockerfile", "training/Dockerfile"])
def test_our_dockerfiles_are_pinned_and_pinned_anew(path: str) -> None:
    dockerfile = (REPOSITORY / path).read_text()
    once = pinned(dockerfile, lambda _image: OLD)
    assert once.count(f"@{OLD}\n") == 1
    again = pinned(once, lambda image: NEW if "@" not in image else "")
    assert again == once.replace(OLD, NEW)


@pytest.mark.parametrize("said", ["", "latest", "sha256:abc", f"{NEW}\nFROM evil"])
def test_nothing_but_a_digest_is_written(said: str) -> None:
    with pytest.raises(NoDigestError, match="is no digest"):
        pinned("FROM example/image:1\n", lambda _image: said)


def test_a_registry_that_does_not_answer_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(image: str) -> str:
        if image == "b":
            raise NoDigestError("b: no such host.")
        return NEW

    monkeypatch.setattr(pin_images, "ask_registry", answer)
    files = [tmp_path / "a", tmp_path / "b"]
    for file in files:
        file.write_text(f"FROM {file.name}\n")
    assert pin_images.main([str(file) for file in files]) == 1
    assert [file.read_text() for file in files] == ["FROM a\n", "FROM b\n"]
    assert "Nothing was pinned. b: no such host." in capsys.readouterr().out
