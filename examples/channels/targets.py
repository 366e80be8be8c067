"""Say what is wanted in the unit that counts: a share of channels, parameters, MACs, or the size of the file.

    python examples/channels/targets.py [mnist]

No data and no training here (`epochs=0`): only the removal, which takes no more than the limit asks for. A
limit in milliseconds goes the same way: `latency="2ms"` measures candidates on this machine.
"""

import sys

import trimtab
from trimtab.errors import ConfigError


def main(name: str = "digits") -> None:
    """Makes four smaller copies of one model, and asks for one that cannot be."""
    data = trimtab.load_data(name)
    model = trimtab.zoo.cnn(data.image_shape, data.classes, filters=(16, 32), dense=32)
    print(f"whole: {trimtab.models.parameters(model):,} parameters, {trimtab.models.macs(model):,} MACs")

    wanted = ({"ratio": 0.5}, {"parameters": 5000}, {"macs": "40%"}, {"size": "80%"})
    for limit in wanted:
        result = trimtab.prune_channels(model, epochs=0, round_to=4, least=4, **limit)
        print(
            f"{result.asked}: reached {result.reached:.6g}; {result.parameters[1]:,} parameters, "
            f"{result.macs[1]:,} MACs"
        )
    try:
        trimtab.prune_channels(model, epochs=0, parameters=100)
    except ConfigError as error:
        print(error)


if __name__ == "__main__":
    main(*sys.argv[1:])
