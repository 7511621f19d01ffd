"""What pyproject.toml cannot say: `conf/` of the checkout is installed as the folder `multimodal_pulse/conf`."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["multimodal_pulse*"]), "multimodal_pulse.conf"],
    package_dir={"multimodal_pulse.conf": "conf"},
    package_data={
        "multimodal_pulse": ["py.typed"],
        "multimodal_pulse.conf": ["**/*.yaml"],
        "multimodal_pulse.generator.ops": ["*.cpp"],
        "multimodal_pulse.domains.faces": ["*.safetensors"],
        "multimodal_pulse.domains.portraits": ["*.safetensors"],
        "multimodal_pulse.studio": ["page/*"],
    },
)
