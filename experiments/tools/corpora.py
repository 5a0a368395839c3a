"""The public corpora that ``seqlab fetch`` knows: where each file is published, and its checksum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Corpus:
    """A public corpus.

    Attributes:
        name: Its name, and that of its folder.
        url: Where its files are published, without what differs between them.
        checksums: The SHA-256 (hex) of each file, by the name that it gets here; of one that is compressed here, of its
            content.
        config: The experiment that is trained on it.
        paths: What stands behind the address of a file that gets another name here. One that gets ``.gz`` and has none
            there is compressed here.
        licence: What it may be used for, and who made it.
        lines: Of a file that is compressed here, how many lines are kept, if not all: its checksum is theirs.
    """

    name: str
    url: str
    checksums: Mapping[str, str]
    config: str
    paths: Mapping[str, str] = field(default_factory=dict)
    licence: str | None = None
    lines: Mapping[str, int] = field(default_factory=dict)

    def path(self, name: str) -> str:
        """What stands behind the address of a file."""
        return self.paths.get(name, name)

    def is_compressed_here(self, name: str) -> bool:
        """Whether a file is published as it is, and kept compressed."""
        return name.endswith(".gz") and not self.path(name).endswith(".gz")


MULTI30K = Corpus(
    name="multi30k",
    url="https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw",
    checksums={
        "train.en.gz": "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
        "train.de.gz": "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
        "val.en.gz": "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
        "val.de.gz": "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
        "test_2016_flickr.en.gz": "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
        "test_2016_flickr.de.gz": "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
        "test_2017_flickr.en.gz": "76a444ee25172e72695cddb13ae4a3bda59430617be88e0bb46b60504f054074",
        "test_2017_flickr.de.gz": "a2c89666db00c495cd8513b9d708d5a3acc205d7de312ef2bf5fb7ebc1540aee",
    },
    config="configs/nmt/multi30k.yaml",
)

G2P = Corpus(
    name="g2p",
    url="https://raw.githubusercontent.com/sigmorphon/2020/3d9bb3658b6a964ccd127e2a6781665262516bf6/task1/data",
    checksums={
        "hun_train.tsv.gz": "e729f49b9b232848ee5bb98afeae2e236f1ec7d0e89d43cf930a9526ad1b9e1e",
        "hun_dev.tsv.gz": "a77a59974f54d218e8c8cf2d38c5db5ee33fac4767e842d3cc0b9bad42cf7032",
        "hun_test.tsv.gz": "314ebe4289c3aad2161e6bf93a684219541365d59771c98fb6fa81192482c6ce",
        "fre_train.tsv.gz": "fcc1c1c19a19381105662b412e8de1a143802da40fb401dd3cc452bc935128a6",
        "fre_dev.tsv.gz": "eb2b3fb761b02591a93981c448c6c7972da0499fd0fb1d7a0b60142463f6b355",
        "fre_test.tsv.gz": "cd75ca22c697f93e23d10898a87a86e1bc08d0d4eb318946f28e085cd1aca9a8",
        "bul_train.tsv.gz": "726c92b03b5f6e8d414d407141cb82a4782fdac7ef9c7bd3be3c91a5a650bb1f",
        "bul_dev.tsv.gz": "813ac9f3983ad80538ea9aca5d4cc3cfe6308a27cc63076564c043f2650ae62c",
        "bul_test.tsv.gz": "4e05ff7a239bda2ca83e6d167ce1497855f77c94a153892bbe1c9698346a6810",
        "gre_train.tsv.gz": "acc3450422d1d44e5d596d6b5092919ebf5e0f8a26ddde4ccac7aa9dec1e0996",
        "gre_dev.tsv.gz": "bac8a18261aa39e125db95423cc33dfaa60683d72eb2b0bb933f2f66b913c7a9",
        "gre_test.tsv.gz": "a10265ed5370a687f2bc840d5ac7338c53b36b044d71e2bcfa0b359094f9fd2f",
    },
    config="configs/transduction/g2p.yaml",
    paths={
        f"{language}_{split}.tsv.gz": f"{split}/{language}_{split}.tsv"
        for language in ("hun", "fre", "bul", "gre")
        for split in ("train", "dev", "test")
    },
    licence="CC BY-SA 3.0; words and pronunciations of Wiktionary, collected by WikiPron for SIGMORPHON 2020",
)

INFLECTION = Corpus(
    name="inflection",
    url="https://raw.githubusercontent.com/sigmorphon/2023InflectionST/e7f1b325b76b41e9ead998e449b17ec1cf536a9c/part1/data",
    checksums={
        "deu_train.tsv.gz": "2f31054424f0995e232f060f3d1e2a85b3da45e4f40680e3c2653044d29bd650",
        "deu_dev.tsv.gz": "6aa5f9409c0096949af167951147838b3375f394997509c46a698c295e909601",
        "deu_test.tsv.gz": "5f6d0471fde913316e719f830591bf4905fd1c4ada17d3283ed82a71d2fba69d",
        "hun_train.tsv.gz": "42144cec55d64ff5e6138ccecbcb875960c3fda6886f6ecf42884e5e48e2780c",
        "hun_dev.tsv.gz": "d4d9e547a2640861f62be1d662247cdac280b8994e99db5a5ba42460d66bd474",
        "hun_test.tsv.gz": "a12811f767b997febf6bb2a42ca08b308cf1b250a3e40fc519f0427580c68309",
        "swa_train.tsv.gz": "083242ec442ef3089a9f4998d9c38a4eff5bd7e5f17c3cdc17b571f4cab5c851",
        "swa_dev.tsv.gz": "0dca9e1e951f000ab2f995037096d4c4ac20cfbe7b6535a1369a81d8468b0e30",
        "swa_test.tsv.gz": "110b976a147dfc27b6402d262e1113a44a4cd648d37537f5d6b0614e382b85e3",
    },
    config="configs/transduction/inflection.yaml",
    paths={
        f"{language}_{split}.tsv.gz": f"{language}.{published}"
        for language in ("deu", "hun", "swa")
        for split, published in (("train", "trn"), ("dev", "dev"), ("test", "tst"))
    },
    licence="CC BY-SA; inflections of Wiktionary, collected by UniMorph for SIGMORPHON-UniMorph 2023",
)

DJANGO = Corpus(
    name="django",
    url="https://raw.githubusercontent.com/odashi/ase15-django-dataset/master/django",
    checksums={
        "all.anno.gz": "86b38c7bf6ffe2882d4603f799e92f48ddaab8a7d9b2af41bba923e59b41800a",
        "all.code.gz": "d20b345fd3cdcf8d54b9cd123b3de4078f8f9a3c6bfc9fed9cd215bc857f99db",
    },
    config="configs/code/django.yaml",
    paths={"all.anno.gz": "all.anno", "all.code.gz": "all.code"},
    licence="MIT, copyright 2015 Yusuke Oda and AHCLab; the code is that of Django (BSD, Django Software Foundation)",
)

ETT = Corpus(
    name="ett",
    url="https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small",
    checksums={"ETTh1.csv.gz": "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066"},
    config="configs/forecasting/etth1.yaml",
    paths={"ETTh1.csv.gz": "ETTh1.csv"},
    licence="CC BY-ND 4.0, verbatim copies alone; temperature and loads of a transformer, by Zhou et al. 2021",
)

FORECAST = Corpus(
    name="forecast",
    url="https://raw.githubusercontent.com/jbrownlee/Datasets/d20fcb6402ae34e653d4513b00f39257bb37ed7f",
    checksums={
        "beijing_pm25_2010_2013.csv.gz": "14f3801d2e750df73c72cee0b2fb4b7638ffb5b09d6bfecde4eb02f991c2a121",
    },
    config="configs/forecasting/pm25.yaml",
    paths={"beijing_pm25_2010_2013.csv.gz": "pollution.csv"},
    licence="none stated there; fine dust in Beijing by Liang et al. 2015, in the UCI repository",
    lines={"beijing_pm25_2010_2013.csv.gz": 35_065},  # without 2014
)

JSB = Corpus(
    name="jsb",
    url="https://raw.githubusercontent.com/czhuang/JSB-Chorales-dataset/9a7f733ddb4ed91f48da64ac7f0f621c34aadd4d",
    checksums={"jsb-chorales-16th.json": "8730aca7b64e7d29493733d1cf19fad4a5b351d8f1845e57dac27728104fd39f"},
    config="configs/music/harmonisation.yaml",
    licence="none stated; chorales of J. S. Bach, who died in 1750, after Boulanger-Lewandowski et al. 2012",
)

CORPORA = {corpus.name: corpus for corpus in (MULTI30K, G2P, INFLECTION, DJANGO, ETT, FORECAST, JSB)}
"""The corpora that can be fetched, by name."""
