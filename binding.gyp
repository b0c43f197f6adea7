# CMakeLists.txt is the only list of sources: node-gyp reaches it through this target.
{
  'targets': [
    {
      'target_name': 'sensorium',
      'type': 'none',
      'actions': [
        {
          'action_name': 'cmake',
          'inputs': ['CMakeLists.txt'],
          'outputs': ['build/Release/sensorium.node'],
          'action': ['node', 'scripts/build-addon.mjs'],
        },
      ],
    },
  ],
}
